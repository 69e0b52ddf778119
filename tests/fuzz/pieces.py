#!/usr/bin/env python3
"""pieces.py PROGRAM.json FOLDER: for each operator of a program of PaddlePaddle 3 the program that computes its results and
nothing else, as a file of its own; what a fuzzer begins with.  The same pieces every time; equal ones are written once."""
import json
import os
import sys

FETCH = '1.fetch'


def operands(op):
    return [value['%'] for value in op.get('I') or []]


def results(op):
    """A parameter has one result, all others a list."""
    written = op.get('O') or []
    return [value['%'] for value in (written if isinstance(written, list) else [written])]


def piece(ops, last):
    """The operators that `last` needs, itself, and one that fetches what it writes, in the program's order."""
    writers = {value: op for op in ops for value in results(op)}
    needed, open_ = set(), [last]
    while open_:
        op = open_.pop()
        if id(op) not in needed:
            needed.add(id(op))
            open_ += [writers[value] for value in operands(op) if value in writers]
    return [op for op in ops if id(op) in needed] + [fetch(last)]


def fetch(op):
    """Of the first result; its type is the result's."""
    written = op['O'][0] if isinstance(op['O'], list) else op['O']
    attributes = [{'AT': {'#': '0.a_str', 'D': 'y'}, 'N': 'name'}, {'AT': {'#': '0.a_i32', 'D': 0}, 'N': 'col'}]
    return {'#': FETCH, 'A': attributes, 'I': [{'%': written['%']}], 'O': [{'%': -1, 'TT': written['TT']}]}


def numbered(ops):
    """The same operators with values numbered from 1 on, as files have them; 0, an operand that is absent, stays."""
    numbers = {0: 0}
    ops = json.loads(json.dumps(ops))
    for op in ops:
        written = op.get('O') or []
        for value in (op.get('I') or []) + (written if isinstance(written, list) else [written]):
            value['%'] = numbers.setdefault(value['%'], len(numbers))
    return ops


def main(path, folder):
    with open(path, encoding='utf-8') as file:
        program = json.load(file)
    block = program['program']['regions'][0]['blocks'][0]
    ops, seen = block['ops'], set()
    for last in ops:
        if last['#'] == FETCH or not last.get('O'):
            continue
        block['ops'] = numbered(piece(ops, last))
        text = json.dumps(program, separators=(',', ':'))
        if text not in seen:
            seen.add(text)
            name = f'{os.path.splitext(os.path.basename(path))[0]}-{len(seen)}.json'
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
