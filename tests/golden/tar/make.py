"""Writes by_python.tar and large.header: what Python's tarfile makes of members as our archives have them.

by_python.tar: folders, a file, an empty file, a name of exactly 100 bytes and one of 101, a name that is not ASCII.
large.header: the header of a member of 9 GiB (tarfile writes a pax record for it) whose name is long as well.
Python 3.11.7 made these.
"""
import io
import tarfile


def member(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mtime = size, kind, 1718323200
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info


LONG = './folder/' + 'n' * 100 + '.txt'
FILES = [('./model_config.yaml', b'a: 1\n'), ('./empty', b''), ('./' + 'e' * 98, b'x' * 512), ('./' + 'o' * 99, b'y' * 513)]

if __name__ == '__main__':
    with tarfile.open('by_python.tar', 'w', format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member('.', 0, tarfile.DIRTYPE))
        for name, data in FILES:
            tar.addfile(member(name, len(data)), io.BytesIO(data))
        tar.addfile(member('./folder', 0, tarfile.DIRTYPE))
        tar.addfile(member(LONG, 3), io.BytesIO(b'abc'))
    with open('large.header', 'wb') as f:
        f.write(member(LONG, 9 << 30).tobuf(tarfile.PAX_FORMAT))
