# The same text on every layout; ranks are threads here.
generate() {
  nemo-generate data/shakespeare.nemo --prompt 'My lord,' --tokens-to-generate 16 --temperature 0.8 --seed 3 "$@"
}
generate | tee expected
for layout in '--tp 2' '--pp 3' '--tp_size 2 --pp_size 2' '--tp 8' '--pipeline-layout 1,2,3' '--isa scalar' \
  '--backend reference' '--prefill-chunk 1' '--prefix-cache off'; do
  generate $layout | diff expected - && echo "$layout: the same"
done
run generate --tp 3
run generate --pp 4
