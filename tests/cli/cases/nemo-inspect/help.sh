nemo-inspect --help
