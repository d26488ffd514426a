# Which flags go with level logits, and prompts that are none.
source=golden/nemo/tiny_zarr_tp1pp1.nemo
run nemo-validate $source --prompt KING
run nemo-validate $source --tolerance 0.1
run nemo-validate $source --level logits --tolerance 0.1
run nemo-validate $source --level logits --prompts absent.txt
printf '{"text": "KING"}\n' >prompts.jsonl
run nemo-validate $source --level logits --prompts prompts.jsonl
run nemo-validate $source --level logits --tp 3
run nemo-validate $source golden/nemo/tied_zarr_tp1pp2.nemo --level logits | tail -n 2
