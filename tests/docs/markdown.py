"""What the tests of the documents read in Markdown: fenced blocks with the remarks before them, headings, links, anchors."""
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r'^ *(```+) *(\S*) *$')
REMARK = re.compile(r'<!--(.*?)-->', re.S)
# [text](target), ![text](target); the text may hold an image or code.
LINK = re.compile(r'!?\[(?:[^\[\]]|\[[^\]]*\](?:\([^)]*\))?)*\]\(\s*<?([^)\s>]+)>?[^)]*\)')


@dataclass
class Block:
    """A fenced block: `remarks` are the comments that stand between the text before it and the fence, without their dashes."""
    line: int
    language: str
    text: str
    remarks: list = field(default_factory=list)


@dataclass
class Page:
    path: Path
    blocks: list
    prose: str  # without blocks and comments, line for line

    def links(self):
        """(line, target) of each link, images too."""
        # Code is no link; what is inside keeps its length.
        text = re.sub(r'`[^`\n]*`', lambda m: '`' * len(m[0]), self.prose)
        for found in LINK.finditer(text):
            yield text.count('\n', 0, found.start()) + 1, self.prose[found.start(1):found.end(1)]
            inner = re.match(r'!?\[!\[[^\]]*\]\(([^)\s]+)\)\]', found[0])
            if inner:
                yield text.count('\n', 0, found.start()) + 1, inner[1]

    def codes(self):
        """(line, text) of each `text` in the prose."""
        for found in re.finditer(r'`([^`]+)`', self.prose):
            yield self.prose.count('\n', 0, found.start()) + 1, ' '.join(found[1].split())

    def anchors(self):
        """The names that GitHub gives the headings, and those that the page gives itself."""
        names, seen = set(), {}
        for title in re.findall(r'^#{1,6} +(.*?) *#* *$', self.prose, re.M):
            name = slug(title)
            count = seen.get(name, 0)
            seen[name] = count + 1
            names.add(f'{name}-{count}' if count else name)
        return names | set(re.findall(r'<a (?:name|id)="([^"]+)"', self.prose))


def slug(title):
    """GitHub's rule: markup goes, letters become small, blanks become dashes, punctuation but - and _ goes."""
    title = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', title)
    title = title.replace('`', '').replace('*', '').replace('\\', '')
    return re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')


def read(path):
    lines = path.read_text(encoding='utf-8').split('\n')
    blocks, prose, fence = [], [], None
    for number, line in enumerate(lines, 1):
        found = FENCE.match(line)
        if fence is None and found:
            fence = (found[1], Block(number, found[2], '', remarks_before(prose)))
            indent = len(line) - len(line.lstrip())
            prose.append('')
        elif fence is not None and found and found[1] == fence[0] and not found[2]:
            blocks.append(fence[1])
            fence = None
            prose.append('')
        elif fence is not None:
            fence[1].text += line[min(indent, len(line) - len(line.lstrip())):] + '\n'
            prose.append('')
        else:
            prose.append(line)
    if fence is not None:
        raise ValueError(f'{path}:{fence[1].line}: the block has no end')
    text = REMARK.sub(lambda m: '\n' * m[0].count('\n'), '\n'.join(prose))
    return Page(path, blocks, text)


def remarks_before(lines):
    text = '\n'.join(lines).rstrip()
    remarks = []
    while text.endswith('-->'):
        begin = text.rindex('<!--')
        remarks.insert(0, text[begin + 4:-3].strip())
        text = text[:begin].rstrip()
    return remarks


def pages(root):
    """Every Markdown file that git knows, or all below `root` outside of build folders where there is no git."""
    listed = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', '*.md'], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.split('\n') if name and (root / name).exists()]
    else:
        names = [str(p.relative_to(root)) for p in root.rglob('*.md') if p.relative_to(root).parts[0] not in ('build', '.git')]
    return {name: read(root / name) for name in sorted(set(names))}
