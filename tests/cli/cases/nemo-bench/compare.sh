# Two reports, made by hand: row a is twice as fast, b slower, c within noise.
row() {
  printf '{"record":"row","name":"%s","operation":"x","shape":"","dtype":"","backend":"cpu","limit":"",' "$1"
  printf '"seconds":{"runs":30,"median":%s,"p10":%s,"p90":%s,"min":%s,"max":%s},' "$2" "$3" "$4" "$3" "$4"
  printf '"rates":{"tok/s":%s},"warnings":[]}\n' "$5"
}
run_line() {
  printf '{"record":"run","verb":"kernels","subject":"s","threads":1,"machine":{"cpu":"%s"},"notes":[]}\n' "$1"
}
{ run_line one; row a 0.002 0.0019 0.0021 500; row b 1 0.99 1.01 1; row c 3e-6 2e-6 4e-6 7; row old 1 1 1 1; } >a.json
{ run_line two; row a 0.001 0.0009 0.0011 1000; row b 1.25 1.24 1.26 0.8; row c 3.5e-6 2.5e-6 4e-6 6; row new 1 1 1 1; } >b.json
run nemo-bench compare a.json b.json
run nemo-bench compare a.json b.json --max-slowdown 30
run nemo-bench compare a.json b.json --max-slowdown 5 --rate tok/s
run nemo-bench compare a.json b.json --max-slowdown 5 --json -q
run nemo-bench compare a.json b.json --rate apples/s
