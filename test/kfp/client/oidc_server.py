"""An OIDC provider for tests, made of Authlib's server: authorization codes with PKCE (required), device codes, refresh
tokens that serve once. Who opens the page of a login is logged in at once, unless the tests order otherwise.

usage: oidc_server.py PORT_FILE
Orders, as JSON by POST /_orders: deny, lifetime_s, pending (how often a device code is pending), slow_down, revoke,
secret, device (false: no device codes), nonce and audience of ID tokens, issuer.
"""
import json
import pathlib
import sys
import threading
import time
import warnings

warnings.filterwarnings('ignore')  # of Authlib, about its own modules
import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.jose import JsonWebKey
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.grants.code import OpenIDToken
from werkzeug.serving import make_server

CLIENT = 'calopipe'
orders = {}
codes, refresh_tokens, credentials = {}, {}, {}
seen = []
key = JsonWebKey.generate_key('RSA', 2048, is_private=True)


class Client:
    id_token_signed_response_alg = 'RS256'

    def get_client_id(self):
        return CLIENT

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, uri):
        return uri.startswith('http://127.0.0.1:')

    def check_client_secret(self, secret):
        return secret == orders.get('secret')

    def check_endpoint_auth_method(self, method, endpoint):
        return method == 'none' if 'secret' not in orders else method != 'none'

    def check_response_type(self, response_type):
        return response_type == 'code'

    def check_grant_type(self, grant_type):
        return True


class User:
    def get_user_id(self):
        return '42'


class Code:
    def __init__(self, code, request):
        data = request.payload.data
        self.code, self.redirect_uri, self.scope = code, request.payload.redirect_uri, request.payload.scope
        self.nonce, self.code_challenge = data.get('nonce'), data.get('code_challenge')
        self.code_challenge_method = data.get('code_challenge_method')
        self.made = int(time.time())

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return orders.get('nonce', self.nonce)

    def get_auth_time(self):
        return self.made

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class Claims:
    def get_jwt_config(self, grant):
        return {'key': key, 'alg': 'RS256', 'iss': issuer(), 'exp': orders.get('lifetime_s', 3600)}

    def generate_user_info(self, user, scope):
        return UserInfo(sub='42', **({'email': 'jdoe@example.org'} if 'email' in scope else {}))

    def get_audiences(self, request):
        return [orders.get('audience', CLIENT)]


class IdTokenWithCode(Claims, OpenIDCode):
    def exists_nonce(self, nonce, request):
        return False


class IdToken(Claims, OpenIDToken):
    pass


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post']

    def save_authorization_code(self, code, request):
        codes[code] = Code(code, request)

    def query_authorization_code(self, code, client):
        return codes.get(code)

    def delete_authorization_code(self, code):
        codes.pop(code.code)

    def authenticate_user(self, code):
        return User()


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post']
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, token):
        return None if orders.get('revoke') else refresh_tokens.get(token)

    def authenticate_user(self, token):
        return User()

    def revoke_old_credential(self, token):
        refresh_tokens.pop(token.text)


class RefreshToken:
    def __init__(self, text, scope):
        self.text, self.scope = text, scope

    def check_client(self, client):
        return True

    def get_scope(self):
        return self.scope


class DeviceGrant(DeviceCodeGrant):
    def query_device_credential(self, code):
        return credentials.get(code)

    def query_user_grant(self, user_code):
        if orders.get('pending', 0) > 0:
            orders['pending'] -= 1
            return None
        return User(), not orders.get('deny')

    def should_slow_down(self, credential):
        return orders.pop('slow_down', False)


class DeviceEndpoint(DeviceAuthorizationEndpoint):
    INTERVAL = 1

    def get_verification_uri(self):
        return address + '/activate'

    def save_device_credential(self, client_id, scope, data):
        credentials[data['device_code']] = DeviceCredentialDict(
            client_id=client_id, scope=scope, expires_at=time.time() + data['expires_in'], **data)


def save_token(token, request):
    if 'refresh_token' in token:
        refresh_tokens[token['refresh_token']] = RefreshToken(token['refresh_token'], token.get('scope', ''))


def issuer():
    return orders.get('issuer', address)


app = flask.Flask('oidc')
app.config['OAUTH2_REFRESH_TOKEN_GENERATOR'] = True
server = AuthorizationServer(app, query_client=lambda name: Client() if name == CLIENT else None, save_token=save_token)
server.register_grant(CodeGrant, [CodeChallenge(required=True), IdTokenWithCode()])
server.register_grant(RefreshGrant, [IdToken()])
server.register_grant(DeviceGrant, [IdToken()])
server.register_endpoint(DeviceEndpoint)


@app.before_request
def note():
    if flask.request.path != '/_orders':
        seen.append(f'{flask.request.method} {flask.request.path} {flask.request.form.get("grant_type", "")}'.strip())


@app.get('/.well-known/openid-configuration')
def discovery():
    found = {'issuer': issuer(), 'authorization_endpoint': address + '/authorize', 'token_endpoint': address + '/token'}
    if 'methods' in orders:
        found['token_endpoint_auth_methods_supported'] = orders['methods']
    if orders.get('device', True):
        found['device_authorization_endpoint'] = address + '/device'
    return found


@app.get('/authorize')
def authorize():
    grant = server.get_consent_grant(end_user=User())
    return server.create_authorization_response(grant_user=None if orders.get('deny') else User(), grant=grant)


@app.post('/token')
def token():
    return server.create_token_response()


@app.post('/device')
def device():
    return server.create_endpoint_response('device_authorization')


@app.post('/_orders')
def order():
    orders.clear()
    orders.update(json.loads(flask.request.get_data()))
    return {'seen': seen}


if __name__ == '__main__':
    import logging
    import os
    os.environ['AUTHLIB_INSECURE_TRANSPORT'] = '1'
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    http = make_server('127.0.0.1', 0, app, threaded=True)
    address = f'http://127.0.0.1:{http.server_port}'
    staged = pathlib.Path(sys.argv[1] + '.new')
    staged.write_text(str(http.server_port))
    staged.rename(sys.argv[1])
    threading.Thread(target=http.serve_forever, daemon=True).start()
    sys.stdin.read()  # until the test ends
