# What is no checkpoint is named as such, whatever the tool.
run nemo-inspect absent.nemo
run nemo-validate absent.nemo
run nemo-convert absent.nemo out
run nemo-reshard absent.nemo out
run nemo-generate absent.nemo --prompt hello
mkdir empty
run nemo-inspect empty
echo 'no archive' >text.nemo
run nemo-inspect text.nemo
run nemo-inspect golden/models/tiny
run ls
