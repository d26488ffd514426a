"""Every relative link of every Markdown file leads to a file that is there, every #anchor to a heading, and every page can be reached
from README.md. Files that a page names in `code` with a folder of the repository in front must exist too. Links to other hosts are
not fetched.

usage: links_test.py ROOT
"""
import re
import sys
from pathlib import Path

import markdown

FOLDERS = ('cmake', 'configs', 'docs', 'formats', 'kernels', 'libcore', 'tests', 'tools')
# Names with a letter that stands for another one are patterns: `kernels/cuda/x_v2.cu`, `tests/fuzz/NAME_fuzz.cc`.
PATH = re.compile(r'`((?:%s)/[\w./{},*-]+)`' % '|'.join(FOLDERS))
PLACEHOLDER = re.compile(r'[A-Z]{2,}[_./]|[_/][A-Z]{2,}|\*|(^|[/_])x[._/]|(^|/)x$')


def braces(path):
    """`a/{b,c}.h` names two files."""
    found = re.search(r'\{([^}]*)\}', path)
    if not found:
        return [path]
    return [p for part in found[1].split(',') for p in braces(path[:found.start()] + part + path[found.end():])]


def main():
    root = Path(sys.argv[1]).resolve()
    pages = markdown.pages(root)
    problems, reached, links, named = [], {'README.md'}, 0, 0
    leads = {name: set() for name in pages}
    for name, page in pages.items():
        for line, target in page.links():
            if re.match(r'[a-z]+:', target):
                continue
            links += 1
            file, _, anchor = target.partition('#')
            there = (page.path.parent / file).resolve() if file else page.path
            if not there.exists() or not there.is_relative_to(root):
                problems.append(f'{name}:{line}: {target}: there is no such file')
                continue
            key = str(there.relative_to(root))
            if there.is_dir():
                leads[name] |= {other for other in pages if str(Path(other).parent) == key}
            leads[name].add(key)
            if anchor and (key not in pages or anchor not in pages[key].anchors()):
                problems.append(f'{name}:{line}: {target}: there is no such heading; {key} has '
                                f'{", ".join(sorted(pages[key].anchors())) if key in pages else "none"}')
        for line, text in enumerate(page.prose.split('\n'), 1):
            for path in PATH.findall(text):
                for one in braces(path):
                    if PLACEHOLDER.search(one):
                        continue
                    named += 1
                    if not (root / one).exists():
                        problems.append(f'{name}:{line}: `{one}`: there is no such file')
    todo = ['README.md']
    while todo:
        for other in leads.get(todo.pop(), ()):
            if other in pages and other not in reached:
                reached.add(other)
                todo.append(other)
    problems += [f'{name}: no link leads here from README.md' for name in pages if name not in reached]
    print(f'{len(pages)} pages, {links} links, {named} names of files: {len(problems)} problems')
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
