# Quiet by itself when stderr is no terminal; lines when asked for.
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo a >/dev/null
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo b --progress always 2>&1 >/dev/null |
  sed -E 's/ in [0-9.]+ s, [0-9.]+ GB\/s/ in .../'
