#!/usr/bin/env bash
# Builds Geant4's example Par04 from its unmodified sources, and runs a macro of `calopipe convert --par04-macro` in it.
# Usage: GEANT4=… ONNXRUNTIME=… PAR04=… par04.sh MACRO [arguments of examplePar04 …]
#   GEANT4        folder of the Geant4 installation
#   ONNXRUNTIME   a folder with include/onnxruntime_cxx_api.h and lib/libonnxruntime.so
#   PAR04         the example's folder (examples/extended/parameterisations/Par04 of Geant4's sources)
#   WITHOUT_DATA  1 = replace FTFP_BERT by electromagnetic models without data files, if those of Geant4 are missing
# Start it in the folder that the model's path in the macro is relative to. It leaves the macro's files there, and prints
# the profiles if they are CSV (/analysis/setFileName x.csv).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
: "${GEANT4:?where Geant4 is installed}" "${ONNXRUNTIME:?folder with include/ and lib/}" "${PAR04:?folder of the example}"
macro=${1:?a macro}; shift
without_data=${WITHOUT_DATA:-0}
build=$here/build/par04-$without_data
mkdir -p "$build"
cmake -S "$here/geant4/par04" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$GEANT4" \
  -DPAR04_SOURCE="$PAR04" -DONNXRUNTIME="$ONNXRUNTIME" -DPAR04_WITHOUT_DATA="$without_data" >"$build/configure.log" ||
  { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build"

export LD_LIBRARY_PATH=$GEANT4/lib:$GEANT4/lib64:$ONNXRUNTIME/lib:${LD_LIBRARY_PATH:-}
if [ "$without_data" = 1 ]; then
  # The kernel looks for the folders of all data files when it starts, but reads only one file, which may be empty.
  data=$(mktemp -d)
  trap 'rm -rf "$data"' EXIT
  for name in ABLA CHANNELING ENSDFSTATE INCL LE LEVELGAMMA NEUTRONHP NUDEXLIB PARTICLEHP PARTICLEXS PII RADIOACTIVE \
    REALSURFACE SAIDXS URRPT; do
    mkdir "$data/$name"
    case $name in LE) variable=G4LEDATA ;; *) variable=G4${name}DATA ;; esac
    [ -n "${!variable:-}" ] || export "$variable=$data/$name"
  done
  touch "$data/ENSDFSTATE/ENSDFSTATE.dat"
fi
"$build/examplePar04" -m "$macro" "$@"

# Histograms of G4CsvAnalysisManager have a header of #-lines, then entries, Sw, Sw2, Sxw0, Sx2w0 for underflow, bins,
# overflow.
shopt -s nullglob
for file in *_h1_longProfile.csv *_h1_transProfile.csv; do
  echo "$file"
  awk -F, '/^#axis/ { n = $0; split($0, a, " "); bins = a[3]; low = a[4]; high = a[5] }
           /^[0-9]/ { if (row > 0 && row <= bins) { sum += $2; w[row] = $2 } row++ }
           END { for (i = 1; i <= bins; i++) if (w[i] > 0)
                   printf "%10.3f %12.6f\n", low + (i - 0.5) * (high - low) / bins, w[i] / sum }' "$file"
done
