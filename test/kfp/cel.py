"""The part of CEL that conditions and selectors of compiled pipelines use, with the semantics of cel-go.

Integers are Python ints, doubles floats (every number of a protobuf Value is one), and the two are equal where their
values are. `&&` and `||` hide the error of one side where the other decides.
"""
import json
import re

TOKEN = re.compile(r'''
    (?P<space>\s+|//[^\n]*)
  | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<int>0[xX][0-9a-fA-F]+|\d+)(?P<unsigned>[uU])?
  | (?P<string>[rR]?(?:"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
''', re.X | re.S)
ESCAPES = {'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}


class Error(Exception):
    """The expression cannot be read, or has no value."""


def unescape(text):
    raw = text[0] in 'rR'
    text = text[1:] if raw else text
    quotes = 3 if text[:3] in ('"""', "'''") else 1
    text = text[quotes:-quotes]
    if raw:
        return text

    def one(match):
        code = match[1]
        if code[0] in 'xX' or code[0] in 'uU':
            return chr(int(code[1:], 16))
        if code[0].isdigit():
            return chr(int(code, 8))
        if code in ESCAPES or code in '\\"\'`?':
            return ESCAPES.get(code, code)
        raise Error(f'unknown escape \\{code}')

    return re.sub(r'\\([xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)', one, text, flags=re.S)


def tokens_of(text):
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Error(f'cannot read {text[at:at + 20]!r}')
        at = match.end()
        if match.lastgroup != 'space':
            kind = 'int' if match['int'] else match.lastgroup
            tokens.append((kind, match[kind]))
    return tokens + [('end', '')]


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(a, b):
    if is_number(a) and is_number(b):
        return a == b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def ordered(operator, a, b):
    if not (is_number(a) and is_number(b)) and not (type(a) is type(b) and isinstance(a, (str, bool))):
        raise Error(f'no such overload: {a!r} {operator} {b!r}')
    return {'<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b}[operator]


def arithmetic(operator, a, b):
    if operator == '+' and type(a) is type(b) and isinstance(a, (str, list)):
        return a + b
    if not is_number(a) or type(a) is not type(b) or (operator == '%' and not isinstance(a, int)):
        raise Error(f'no such overload: {a!r} {operator} {b!r}')
    if isinstance(a, float):
        if operator == '/' and b == 0:
            return float('nan') if a == 0 or a != a else float('inf') * (1 if a > 0 else -1)
        return {'+': a + b, '-': a - b, '*': a * b, '/': b and a / b}[operator]
    if operator in '/%':
        if b == 0:
            raise Error('division by zero')
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return in_range(quotient) if operator == '/' else a - quotient * b
    return in_range({'+': a + b, '-': a - b, '*': a * b}[operator])


def in_range(value):
    if not -2**63 <= value < 2**63:
        raise Error('integer overflow')
    return value


def to_int(value):
    if isinstance(value, str):
        if not re.fullmatch(r'[+-]?\d+', value):
            raise Error(f'{value!r} is no integer')
        return in_range(int(value))
    if isinstance(value, float) and (value != value or abs(value) >= 2**63):
        raise Error('integer overflow')
    if is_number(value):
        return int(value)  # towards zero
    raise Error(f'no such overload: int({value!r})')


def to_double(value):
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Error(f'no such overload: double({value!r})')
    try:
        return float(value)
    except ValueError:
        raise Error(f'{value!r} is no double') from None


def to_string(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, (str, int)):
        return str(value)
    raise Error(f'no such overload: string({value!r})')


def to_bool(value):
    if isinstance(value, bool):
        return value
    if value in ('1', 't', 'T', 'true', 'TRUE', 'True'):
        return True
    if value in ('0', 'f', 'F', 'false', 'FALSE', 'False'):
        return False
    raise Error(f'no such overload: bool({value!r})')


def doubles(value):
    """JSON numbers are doubles."""
    if isinstance(value, list):
        return [doubles(item) for item in value]
    if isinstance(value, dict):
        return {key: doubles(item) for key, item in value.items()}
    return float(value) if is_number(value) else value


def parse_json(text):
    if not isinstance(text, str):
        raise Error('parseJson takes a string')
    try:
        return doubles(json.loads(text))
    except ValueError as error:
        raise Error(f'failed to unmarshal JSON: {error}') from None


def size(value):
    if not isinstance(value, (str, list, dict)):
        raise Error(f'no such overload: size({value!r})')
    return len(value)


FUNCTIONS = {'int': to_int, 'double': to_double, 'string': to_string, 'bool': to_bool, 'size': size,
             'parseJson': parse_json}
METHODS = {'startsWith': str.startswith, 'endsWith': str.endswith, 'contains': str.__contains__,
           'matches': lambda text, pattern: re.search(pattern, text) is not None}
LEVELS = [['||'], ['&&'], ['<', '<=', '>', '>=', '==', '!=', 'in'], ['+', '-'], ['*', '/', '%']]


class Parser:
    """Recursive descent to closures: each takes the variables and gives the value."""

    def __init__(self, text):
        self.tokens, self.at = tokens_of(text), 0

    def peek(self):
        return self.tokens[self.at][1] if self.tokens[self.at][0] in ('operator', 'name', 'end') else None

    def accept(self, *texts):
        if self.peek() in texts and self.tokens[self.at][0] != 'end':
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def expect(self, text):
        if not self.accept(text):
            raise Error(f'{text!r} expected at {self.tokens[self.at][1]!r}')

    def whole(self):
        value = self.expression()
        if self.tokens[self.at][0] != 'end':
            raise Error(f'{self.tokens[self.at][1]!r} is too much')
        return value

    def expression(self):
        condition = self.binary(0)
        if not self.accept('?'):
            return condition
        yes = self.binary(0)
        self.expect(':')
        no = self.expression()
        return lambda v: yes(v) if boolean(condition(v)) else no(v)

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while operator := self.accept(*LEVELS[level]):
            left = apply(operator, left, self.binary(level + 1))
        return left

    def unary(self):
        if self.accept('!'):
            operand = self.unary()
            return lambda v: not boolean(operand(v))
        if self.accept('-'):
            operand = self.unary()
            return lambda v: negate(operand(v))
        return self.member()

    def member(self):
        value = self.primary()
        while True:
            if self.accept('['):
                key = self.expression()
                self.expect(']')
                value = (lambda of, key: lambda v: index(of(v), key(v)))(value, key)
            elif self.accept('.'):
                name = self.tokens[self.at][1]
                self.at += 1
                if self.accept('('):
                    value = method(value, name, self.arguments(')'))
                else:
                    value = (lambda of, name: lambda v: index(of(v), name))(value, name)
            else:
                return value

    def arguments(self, end):
        found = []
        while not self.accept(end):
            found.append(self.expression())
            if not self.accept(','):
                self.expect(end)
                break
        return found

    def primary(self):
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind in ('int', 'double', 'string'):
            literal = {'int': lambda: in_range(int(text, 0 if text[:2] in ('0x', '0X') else 10)),
                       'double': lambda: float(text), 'string': lambda: unescape(text)}[kind]()
            return lambda v: literal
        if text == '(':
            inner = self.expression()
            self.expect(')')
            return inner
        if text == '[':
            items = self.arguments(']')
            return lambda v: [item(v) for item in items]
        if kind != 'name':
            raise Error(f'{text!r} is not expected')
        if text in ('true', 'false', 'null'):
            return lambda v: {'true': True, 'false': False, 'null': None}[text]
        if self.accept('('):
            if text not in FUNCTIONS:
                raise Error(f'undeclared reference to {text!r}')
            arguments = self.arguments(')')
            if len(arguments) != 1:
                raise Error(f'{text} takes one argument')
            return lambda v: FUNCTIONS[text](arguments[0](v))
        return lambda v: variable(v, text)


def variable(variables, name):
    if name not in variables:
        raise Error(f'undeclared reference to {name!r}')
    return variables[name]


def boolean(value):
    if not isinstance(value, bool):
        raise Error(f'{value!r} is no bool')
    return value


def negate(value):
    if not is_number(value):
        raise Error(f'no such overload: -{value!r}')
    return -value if isinstance(value, float) else in_range(-value)


def index(of, key):
    if isinstance(of, list) and is_number(key) and key == int(key):
        if not 0 <= key < len(of):
            raise Error(f'index {key} out of range')
        return of[int(key)]
    if isinstance(of, dict):
        if key not in of:
            raise Error(f'no such key: {key}')
        return of[key]
    raise Error(f'no such overload: {of!r}[{key!r}]')


def method(of, name, arguments):
    def call(variables):
        value, given = of(variables), [argument(variables) for argument in arguments]
        if name == 'size' and not given:
            return size(value)
        if name not in METHODS or len(given) != 1 or not isinstance(value, str) or not isinstance(given[0], str):
            raise Error(f'no such overload: {value!r}.{name}')
        return METHODS[name](value, given[0])

    return call


def contains(item, of):
    if isinstance(of, list):
        return any(equal(item, other) for other in of)
    if isinstance(of, dict):
        return item in of
    raise Error(f'no such overload: {item!r} in {of!r}')


def apply(operator, left, right):
    if operator in ('&&', '||'):
        decides = operator == '||'

        def logical(variables):
            error = None
            for side in (left, right):
                try:
                    if boolean(side(variables)) == decides:
                        return decides
                except Error as caught:
                    error = caught
            if error:
                raise error
            return not decides

        return logical
    if operator == '==':
        return lambda v: equal(left(v), right(v))
    if operator == '!=':
        return lambda v: not equal(left(v), right(v))
    if operator == 'in':
        return lambda v: contains(left(v), right(v))
    if operator in ('<', '<=', '>', '>='):
        return lambda v: ordered(operator, left(v), right(v))
    return lambda v: arithmetic(operator, left(v), right(v))


def evaluate(text, variables):
    """The value of the expression. Numbers of `variables` should be floats (see `doubles`). Raises Error."""
    return Parser(text).whole()(variables)
