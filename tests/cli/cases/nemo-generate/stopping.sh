# End strings, the least number of tokens, and temperature 0.
generate() { nemo-generate data/shakespeare.nemo --prompt KING --tokens-to-generate 40 --greedy "$@"; }
run generate --end-string gentleman
run generate --end-string 'am a' --end-string ','
generate --temperature 0 | diff <(generate) - && echo "temperature 0: greedy"
