"""Writes pickles.json: values as CPython's pickle writes them in each protocol, and what a reader that runs nothing
shows of them. Run with CPython 3.11 in this folder."""
import collections
import enum
import json
import pickle
import sys
import types

m = types.ModuleType('m')
sys.modules['m'] = m


class Point:
    pass


class Slots:
    __slots__ = ('a', 'b')


class Colour(enum.Enum):
    red = 1


for cls in (Point, Slots, Colour):
    cls.__module__, cls.__qualname__ = 'm', cls.__name__
    setattr(m, cls.__name__, cls)
point, slots, shared = Point(), Slots(), [1]
point.x, point.y, slots.a, slots.b = 1, 'two', 5, None

CASES = [
    ('None and booleans', [None, True, False], '[None, True, False]'),
    ('small integers', [0, 1, 255, 256, 65535, 65536, -1, -128, -32769, 2**31 - 1, -2**31],
     '[0, 1, 255, 256, 65535, 65536, -1, -128, -32769, 2147483647, -2147483648]'),
    ('integers of 64 bits', [2**31, 2**32, -2**31 - 1, 2**63 - 1, -2**63],
     '[2147483648, 4294967296, -2147483649, 9223372036854775807, -9223372036854775808]'),
    ('integers beyond', [2**63, -2**63 - 1, 10**40], '[big, big, big]'),
    ('floats', [0.5, -1e300, 1.0], '[0.5, -1e+300, 1.0]'),
    ('texts', ['', 'abc', '\u00fc', 'x' * 300], f"['', 'abc', '\u00fc', '{'x' * 300}']"),
    ('tuples', ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), '((), (1), (1, 2), (1, 2, 3), (1, 2, 3, 4))'),
    ('dicts', {'a': {'b': []}, 1: 2}, "{'a': {'b': []}, 1: 2}"),
    ('a value twice', [shared, shared], '[[1], [1]]'),
    ('ordered dict', collections.OrderedDict([('b', 1), ('a', 2)]), "{'b': 1, 'a': 2}"),
    ('default dict', collections.defaultdict(list, {'k': [1]}), "{'k': [1]}"),
    ('an object', point, "m Point() {'x': 1, 'y': 'two'}"),
    ('an object with slots', slots, "m Slots() (None, {'a': 5, 'b': None})"),
    ('an enum', Colour.red, 'm Colour(1)'),
    ('a class', Point, 'm Point'),
    ('many items', list(range(1100)), '[' + ', '.join(map(str, range(1100))) + ']'),
]
SHOWN_BY_PROTOCOL = [
    ('bytes', [b'', b'ab'], {2: "[__builtin__ bytes(), _codecs encode('ab', 'latin1')]", 3: "[b'', b'ab']"}),
    ('a set', {7}, {2: '__builtin__ set([7])', 3: 'builtins set([7])', 4: '{7}'}),
    ('a frozen set', frozenset([7]), {2: '__builtin__ frozenset([7])', 3: 'builtins frozenset([7])', 4: '{7}'}),
    ('a bytearray', bytearray(b'xy'), {2: "__builtin__ bytearray(_codecs encode('xy', 'latin1'))", 3: "builtins bytearray(b'xy')", 5: "b'xy'"}),
]

out = []
for protocol in (2, 3, 4, 5):
    for what, value, shown in CASES:
        out.append({'what': what, 'protocol': protocol, 'hex': pickle.dumps(value, protocol).hex(), 'shown': shown})
    for what, value, shown in SHOWN_BY_PROTOCOL:
        text = shown[max(p for p in shown if p <= protocol)]
        out.append({'what': what, 'protocol': protocol, 'hex': pickle.dumps(value, protocol).hex(), 'shown': text})
with open('pickles.json', 'w') as f:
    json.dump(out, f, indent=0, ensure_ascii=False)
    f.write('\n')
