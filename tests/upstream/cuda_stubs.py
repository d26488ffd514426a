"""Lets a torch that was built for CUDA be imported without the 4 GB of CUDA libraries that it is linked with.

The loader wants every library and, because Python loads with RTLD_NOW, every function of them. Each library that is
missing gets a stand-in beside torch's own, with the functions that torch's libraries name and no other; they return 100,
which is cudaErrorNoDevice. torch finds no GPU then and computes on the CPU with code of its own.
Needs gcc, nm and objdump. Standard library only.
"""
import collections
import pathlib
import re
import subprocess
import tempfile

CUDA_FUNCTION = re.compile(r'_*(cu|nv|nccl)', re.IGNORECASE)
CUDA_LIBRARY = re.compile(r'NEEDED +(lib(?:cu|nv|nccl)\S+)')


def output_of(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def missing_parts(torch_dir):
    """(libraries that are needed and absent, {symbol version: functions that no library there has})."""
    libraries = sorted((torch_dir / 'lib').glob('*.so*'))
    needed, undefined, defined = set(), set(), set()
    for path in [*libraries, *torch_dir.glob('_C*.so')]:
        needed |= set(CUDA_LIBRARY.findall(output_of('objdump', '-p', path)))
        undefined |= set(re.findall(r'^ +U (\S+)$', output_of('nm', '-D', '--undefined-only', path), re.MULTILINE))
        defined |= {line.split()[-1].split('@')[0] for line in output_of('nm', '-D', '--defined-only', path).splitlines()}
    functions = collections.defaultdict(set)
    for symbol in undefined:
        name, _, version = symbol.partition('@')
        if name not in defined and CUDA_FUNCTION.match(name):
            functions[version].add(name)
    return needed - {path.name for path in libraries}, functions


def write_stub(path, version, functions):
    """The loader insists on the versions of symbols where the real library has them."""
    code = '\n'.join(f'int {name}(void) {{ return 100; }}' for name in sorted(functions))
    with tempfile.NamedTemporaryFile('w', suffix='.map') as script:
        script.write(f'{version} {{ global: *; }};\n' if version else '{ global: *; };\n')
        script.flush()
        subprocess.run(['gcc', '-w', '-shared', '-fPIC', '-fno-builtin', f'-Wl,-soname,{path.name}',
                        f'-Wl,--version-script={script.name}', '-x', 'c', '-', '-o', str(path)],
                       input=code, text=True, check=True)


def write_stubs(site_packages):
    torch_dir = pathlib.Path(site_packages) / 'torch'
    missing, functions = missing_parts(torch_dir)
    for library in sorted(missing):
        # Versions are called after their library; NVSHMEM's leaves out what is around the name.
        version = next((v for v in functions if v and (v == library or library.startswith('lib' + v.lower()))), '')
        write_stub(torch_dir / 'lib' / library, version, functions[version])
    return len(missing)
