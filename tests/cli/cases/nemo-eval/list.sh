# Every task has its kind and variant; the JSON says the same.
nemo-eval --list | grep -E '^(group|task|mmlu|hellaswag|winogrande|arc_challenge|bbh|mgsm_native_cot|humaneval)[a-z_]* ' | grep -vE '^(mmlu|bbh_[a-z_]*|mgsm_native_cot)_[a-z_]* +[03] '
nemo-eval --list --json | grep -c '"variant"'
