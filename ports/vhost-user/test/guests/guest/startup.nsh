@echo -off
# SPDX-License-Identifier: BSD-2-Clause
fs0:
type in.txt
cp big.bin copy.bin
comp big.bin copy.bin
echo "written by the guest" > out.txt
mkdir dir
cp in.txt dir
rm gone.bin
reset -s
