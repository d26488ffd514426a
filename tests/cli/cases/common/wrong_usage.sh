# One line each: what is wrong, the nearest name, where to look.
run nemo-convert
run nemo-convert a
run nemo-convert a b c
run nemo-convert a b --tpp 2
run nemo-convert a b --tp
run nemo-convert a b --tp two
run nemo-convert a b --container hdf
run nemo-convert a b --to nativ
run nemo-convert a b --vocab pad:0
run nemo-convert a b --vocab kep
run nemo-convert a b --pipeline-layout 1,2 --pp 3
run nemo-validate a --level sums
run nemo-inspect a --stat
run nemo-inspect a --progress sometimes
run nemo-inspect completion tcsh
