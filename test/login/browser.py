"""A browser for tests of logins: cookies, redirections and forms, without scripts."""
import html.parser
import http.cookiejar
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    """The first form of a page: where it goes, how, and its fields."""

    def __init__(self, text):
        super().__init__()
        self.action, self.method, self.fields, self.open = None, 'get', {}, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == 'form' and self.action is None:
            self.action, self.method, self.open = values.get('action', ''), values.get('method', 'get').lower(), True
        elif tag == 'input' and self.open and 'name' in values:
            self.fields[values['name']] = values.get('value') or ''

    def handle_endtag(self, tag):
        self.open = self.open and tag != 'form'


class Browser:
    def __init__(self):
        self.cookies = http.cookiejar.MozillaCookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies))
        self.address, self.status, self.text = '', 0, ''

    def open(self, address, data=None):
        request = urllib.request.Request(urllib.parse.urljoin(self.address, address), data=data, headers={'Accept': 'text/html'})
        try:
            answer = self.opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.address, self.status, self.text = answer.url, answer.status, answer.read().decode()
        return self.text

    def submit(self, **values):
        form = Form(self.text)
        assert form.action is not None, f'there is no form: {self.text}'
        assert values.keys() <= form.fields.keys(), f'the form has {list(form.fields)}'
        data = urllib.parse.urlencode({**form.fields, **values})
        if form.method == 'post':
            return self.open(form.action or self.address, data.encode())
        return self.open(f'{form.action}?{data}')

    def save_cookies(self, file):
        self.cookies.save(file, ignore_discard=True)
