nemo-validate --help
