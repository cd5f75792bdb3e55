"""Values of parameters as the KFP backend writes and reads them: protobuf Values in Go.

Every number is a double; here integral ones are Python ints. Structs are dicts, lists lists.
"""
import json
import math
import re
from decimal import Decimal


class Failure(Exception):
    """The task fails on the cluster, too."""


def normal(value):
    """The value after a protobuf Value: integers lose what a double cannot hold."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise Failure(f'{value} is out of the range of a double') from None
        if not math.isfinite(number):
            raise Failure(f'a Value cannot hold {number}')
        return int(number) if number == int(number) and abs(number) < 2**63 else number
    return value


def kind(value):
    for name, of in (('null', type(None)), ('bool', bool), ('string', str), ('number', (int, float)), ('list', list)):
        if isinstance(value, of):
            return name
    return 'struct'


def format_f(number):
    """strconv.FormatFloat(number, 'f', -1, 64)"""
    text = format(Decimal(repr(float(number))), 'f')
    return text[:-2] if text.endswith('.0') else text


def format_e(number):
    sign, digits, exponent = Decimal(repr(float(number))).as_tuple()
    digits = ''.join(map(str, digits))
    exponent += len(digits) - 1
    digits = digits.rstrip('0') or '0'
    return (f"{'-' * sign}{digits[0]}{'.' + digits[1:] if digits[1:] else ''}"
            f"e{'-' if exponent < 0 else '+'}{abs(exponent):02d}")


def format_g(number):
    """fmt.Sprintf("%g", number)"""
    if number == 0:
        return format_f(number)
    exponent = Decimal(repr(float(number))).adjusted()
    return format_e(number) if exponent < -4 or exponent >= 6 else format_f(number)


def json_number(number):
    if number != 0 and (abs(number) < 1e-6 or abs(number) >= 1e21):
        return re.sub(r'e-0(\d)$', r'e-\1', format_e(number))
    return format_f(number)


def marshal(value, html=True):
    """JSON as Go writes it: compact, keys sorted; `html` escapes <, > and &, as encoding/json does."""
    what = kind(value)
    if what == 'number':
        return json_number(value)
    if what == 'list':
        return '[' + ','.join(marshal(item, html) for item in value) + ']'
    if what == 'struct':
        return '{' + ','.join(f'{marshal(key, html)}:{marshal(value[key], html)}' for key in sorted(value)) + '}'
    text = json.dumps(value, ensure_ascii=False)
    if html:
        text = re.sub('[<>&\u2028\u2029]', lambda match: f'\\u{ord(match[0]):04x}', text)
    return text


def text_of(value):
    """What the launcher puts in place of a placeholder (also how a parameter of another type becomes a STRING)."""
    what = kind(value)
    if what == 'number':
        return format_f(value)
    return {'null': lambda: '', 'string': lambda: value, 'bool': lambda: str(value).lower()}.get(
        what, lambda: marshal(value))()


def text_of_driver(value):
    """The same where the driver substitutes: other numbers have exponents."""
    if kind(value) == 'number' and value != int(value):
        return format_g(value)
    return str(int(value)) if kind(value) == 'number' and abs(value) < 2**63 else text_of(value)


def value_of(text, parameter_type):
    """The content of an output parameter's file, as a value."""
    trimmed = text.strip()
    if parameter_type == 'STRING':
        return text
    if parameter_type == 'NUMBER_INTEGER':
        if re.fullmatch('[+-]?[0-9]+', trimmed) and -2**63 <= int(trimmed) < 2**63:
            return normal(int(trimmed))
    elif parameter_type == 'NUMBER_DOUBLE':
        if re.fullmatch(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?', trimmed):
            return normal(float(trimmed))
        if re.fullmatch('[+-]?(inf|infinity|nan)', trimmed, re.I):
            raise Failure(f'a Value cannot hold {trimmed}')
    elif parameter_type == 'BOOLEAN':
        if trimmed in ('1', 't', 'T', 'TRUE', 'true', 'True'):
            return True
        if trimmed in ('0', 'f', 'F', 'FALSE', 'false', 'False'):
            return False
    elif parameter_type in ('LIST', 'STRUCT'):
        value = strict_json(text)
        if kind(value) == parameter_type.lower():
            return normal(value)
    else:
        raise Failure(f'an output parameter cannot be of type {parameter_type}')
    raise Failure(f'{text!r} is no {parameter_type}')


def strict_json(text):
    """JSON as protojson takes it: no NaN, no Infinity, no name twice, UTF-8."""
    def once(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Failure(f'JSON has a name twice: {sorted(names)}')
        return dict(pairs)

    def refuse(name):
        raise Failure(f'{name} is no JSON')

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise Failure(f'no JSON: {error}') from None


# Messages of ExecutorOutput, the file at outputs.outputFile: names of fields to types.
SCHEMA_FIELDS = {'schemaTitle': str, 'schemaUri': str, 'instanceSchema': str, 'schemaVersion': str}
OLD_VALUE = {'intValue': object, 'doubleValue': object, 'stringValue': str}
ARTIFACT = {'name': str, 'type': SCHEMA_FIELDS, 'uri': str, 'properties': ('map', OLD_VALUE),
            'customProperties': ('map', OLD_VALUE), 'metadata': dict, 'customPath': str}
EXECUTOR_OUTPUT = {'parameters': ('map', OLD_VALUE), 'artifacts': ('map', {'artifacts': ('list', ARTIFACT)}),
                   'parameterValues': dict}


def message(value, fields, place='executor output'):
    """The JSON of a protobuf message, checked; names in camelCase. Raises Failure."""
    if isinstance(fields, tuple):
        of = dict if fields[0] == 'map' else list
        if not isinstance(value, of):
            raise Failure(f'{place} must be a {fields[0]}')
        if of is dict:
            return {key: message(item, fields[1], f'{place}.{key}') for key, item in value.items()}
        return [message(item, fields[1], f'{place}[{at}]') for at, item in enumerate(value)]
    if not isinstance(fields, dict):
        if not isinstance(value, fields):
            raise Failure(f'{place} must be a {fields.__name__}')
        return normal(value)
    if not isinstance(value, dict):
        raise Failure(f'{place} must be a message')
    read = {}
    for name, item in value.items():
        camel = re.sub('_([a-z])', lambda match: match[1].upper(), name)
        if camel not in fields or camel in read:
            raise Failure(f'{place} has an unknown or repeated field {name!r}')
        if item is not None:  # null is the same as absent
            read[camel] = message(item, fields[camel], f'{place}.{name}')
    return read
