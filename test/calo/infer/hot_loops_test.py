"""Reads the inner loops of the engine's kernels from the built library: none may go through the stack.

usage: hot_loops_test.py OBJDUMP LIBRARY

A compiler that lowers a vector to a narrower one before it inlines a kernel, or that runs out of registers, keeps sums
or weights in memory: the results are right and five times as late. Sums of products must not touch the stack at all.
Functions of single cells may read constants from it, for which no register is left, but not write to it.
"""

import re
import subprocess
import sys
import unittest

ROWS = range(1, 7)
KINDS = {"sigmoid": 7, "softplus": 8, "gelu": 9, "tanh": 6, "exp": 15}  # of Activation::Kind

# Name of a function as objdump writes it, without its arguments: how many there must be at least.
PRODUCTS = {
    **{rf"{kind}_{isa}<{rows}>": 1 for kind in ("fp32", "bf16") for isa in ("plain", "avx2", "avx512") for rows in ROWS},
    **{rf"int8_{isa}<{rows}>": 1 for isa in ("plain", "avx512") for rows in ROWS},
    **{rf"int8_columns<{rows}, {vnni}>": 1 for vnni in ("false", "true") for rows in ROWS},
    **{rf"bf16_products<{rows}>": 1 for rows in ROWS},
    **{rf"int8_few<{rows}, 1>": 1 for rows in ROWS},
    **{rf"int8_few<{rows}, 2>": 1 for rows in range(1, 4)},
    # Of the cascade's networks: their first layer, the other hidden layers, and the heads of integers.
    **{
        rf"layer_{isa}<{rows}, \(calo::cascade::Layer\)[01]>": 2
        for isa in ("plain", "avx2", "avx512")
        for rows in ROWS
    },
    **{rf"layer<{rows}, \(calo::cascade::Layer\)[012]>": 3 for rows in ROWS},
    **{rf"wide_layer<{rows}, \(calo::cascade::Layer\)[012], (true|false)>": 6 for rows in ROWS},
    **{rf"heads_{isa}<{rows}>": 1 for isa in ("plain", "avx2", "avx512") for rows in range(1, 4)},
    r"products_(plain|avx2)": 2,
    r"product_(avx2|avx512)<(float|double)>": 4,
    **{rf"moments_{isa}": 1 for isa in ("plain", "avx2", "avx512")},
    **{rf"one_place_{isa}": 1 for isa in ("plain", "avx2", "avx512")},
    r"channels_plain<\d, \d>": 4,
    r"channels_avx2<\d, \d>": 14,
    r"channels_avx512<\d, \d>": 22,
    r"plain<\d, \d>": 8,
    r"avx2<\d, \d>": 17,
    r"avx512<\d, \d>": 15,
}
# The hits of plain x86-64 are no part of these: it moves no lanes by a mask, and takes cells one by one from memory.
CELLS = {
    **{rf"dense_plain<\(calo::infer::Activation::Kind\){kind}>": 1 for kind in (1, 7, 8)},
    **{
        rf"{kernel}_{isa}<\(calo::infer::Activation::Kind\){kind}, (true|false)>": least
        for kernel in ("collect", "dense", "stream")
        for isa in ("avx2", "avx512")
        for kind, least in ((7, 2), (8, 1))
    },
    **{
        rf"{isa}<\(calo::infer::Activation::Kind\){kind}>": 1
        for isa in ("plain", "avx2", "avx512")
        for kind in KINDS.values()
    },
    r"product_plain<(float|double)>": 2,  # whose single columns read how far apart their numbers are
    **{rf"affine_{isa}": 1 for isa in ("plain", "avx2", "avx512")},
    **{rf"swish{isa}<\d, (true|false)>": 4 for isa in ("_avx2", "_avx512")},
    r"(add_)?hard_swish(_of_sum)?": 2,  # with those of plain x86-64 in them
}

# Arithmetic of vectors, which tells a hot loop from one that copies what is left over.
PACKED = re.compile(r"v?(add|sub|mul|div|min|max|fn?m(add|sub)\d*)p[sd]$|v?p(madd|add|dp)\w+$|vdpbf16ps$")


def functions(objdump, library):
    """Names and instructions, [(address, text)], of all functions."""
    listing = subprocess.run(
        [objdump, "--disassemble", "--no-show-raw-insn", "--demangle", "--wide", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    name, body = None, []
    for line in listing.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            if body:
                yield name, body
            name, body = start[1], []
        elif instruction := re.match(r"\s*([0-9a-f]+):\t(.*)$", line):
            text = re.sub(r"\s*(#|<).*", "", instruction[2]).replace("{vex} ", "").strip()
            body.append((int(instruction[1], 16), text))
    if body:
        yield name, body


def basic_blocks(body):
    """Blocks, [[index of an instruction]], and the blocks that follow each."""
    place = {address: i for i, (address, _) in enumerate(body)}
    following, starts = [], {0}
    for i, (_, text) in enumerate(body):
        jump = re.match(r"(?:notrack )?(j\w+)\s+([0-9a-f]+)$", text)
        to = place.get(int(jump[2], 16)) if jump else None
        falls = not re.match(r"(notrack )?(jmp|ret|ud2|hlt)", text) and i + 1 < len(body)
        following.append(({to} if to is not None else set()) | ({i + 1} if falls else set()))
        if to is not None or not falls:
            starts |= following[-1] | ({i + 1} if i + 1 < len(body) else set())
    blocks, block_of = [], {}
    for i in range(len(body)):
        if i in starts:
            blocks.append([])
        blocks[-1].append(i)
        block_of[i] = len(blocks) - 1
    return blocks, [{block_of[i] for i in following[block[-1]]} for block in blocks]


def innermost_loops(body):
    """Instructions of each loop without another inside it: natural loops of the flow of control."""
    blocks, edges = basic_blocks(body)
    before = {0: set()}
    stack = [0]
    while stack:
        block = stack.pop()
        for to in edges[block]:
            if to not in before:
                before[to] = set()
                stack.append(to)
            before[to].add(block)
    dominators = {block: set(before) for block in before} | {0: {0}}
    changed = True
    while changed:
        changed = False
        for block in sorted(before.keys() - {0}):
            new = {block} | set.intersection(*(dominators[b] for b in before[block]))
            changed |= new != dominators[block]
            dominators[block] = new
    loops = {}
    for block in before:
        for head in edges[block] & dominators[block]:
            loop, stack = loops.setdefault(head, {head}), [block]
            while stack:
                if (b := stack.pop()) not in loop:
                    loop.add(b)
                    stack.extend(before[b])
    for head, loop in loops.items():
        if not any(other in loop for other in loops if other != head):
            yield [body[i][1] for block in sorted(loop) for i in blocks[block]]


def hot_loops(body):
    for loop in innermost_loops(body):
        if any(PACKED.match(text.split()[0]) and re.search(r"[xyz]mm\d", text) for text in loop):
            yield loop


def through_stack(body, loop, reads_too):
    """Instructions that use the stack; those that only read it, too, if told so."""
    framed = any(re.match(r"(mov\s+%rsp|lea\s+\S*\(%rsp\)),%rbp$", text) for _, text in body)
    stack = re.compile(r"\(%(rsp|rbp)" if framed else r"\(%rsp")
    writes = re.compile(r"^v?mov\S*\s+[^,(]+,-?(0x[0-9a-f]+)?\(%(rsp|rbp)[^()]*\)$|^(push|add|sub|inc|dec)\S*\s.*\(%rsp[^()]*\)$")
    return [text for text in loop if stack.search(text) and (reads_too or writes.match(text))]


class HotLoops(unittest.TestCase):
    objdump = library = None

    @classmethod
    def setUpClass(cls):
        cls.found = {}
        for name, body in functions(cls.objdump, cls.library):
            short = name.replace("(anonymous namespace)::", "")
            if body[0][1].startswith("jmp"):  # to a function with the same instructions
                continue
            if match := re.match(r"(?:[\w\[\]:]+ )*calo::(?:infer|cascade)::([\w]+(?:<[^<>]*>)?)\(", short):
                cls.found.setdefault(match[1], []).append(body)

    def check(self, kernels, reads_too):
        for pattern, least in kernels.items():
            with self.subTest(pattern):
                bodies = [(name, body) for name, all_ in self.found.items() if re.fullmatch(pattern, name) for body in all_]
                self.assertGreaterEqual(len(bodies), least, "kernels of this name")
                for name, body in bodies:
                    loops = list(hot_loops(body))
                    self.assertTrue(loops, f"{name} has no loop that calculates with vectors")
                    for loop in loops:
                        self.assertEqual(through_stack(body, loop, reads_too), [], name + ":\n" + "\n".join(loop))

    def test_sums_of_products_do_not_touch_the_stack(self):
        self.check(PRODUCTS, reads_too=True)

    def test_functions_of_cells_do_not_write_to_the_stack(self):
        self.check(CELLS, reads_too=False)


if __name__ == "__main__":
    HotLoops.objdump, HotLoops.library = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
