#!/bin/sh
# keyutils, in a session of its own. Serials are masked.
keyctl session - sh -c '
mask() { sed -E "s/[0-9]{5,}/N/g; s/^ *N/N/; s/  +/ /g"; }
R=$(keyctl newring ring @s)
K=$(keyctl add user a "some text" $R)
keyctl print $K
keyctl describe $K | mask
keyctl rdescribe $K
keyctl show @s | mask
keyctl search @s user a >/dev/null && echo found
keyctl request user nosuch
keyctl unlink $K $R
keyctl padd user b $R <<X
from stdin
X
keyctl pipe $(keyctl search @s user b)
keyctl purge user b | mask
keyctl get_persistent @s >/dev/null && keyctl show @s | mask
cat /proc/sys/kernel/keys/maxkeys
grep -c "user *tt: 3" /proc/keys
keyctl add user tt abc @s >/dev/null
grep "user *tt: 3" /proc/keys | cut -c 9-
' 2>&1 | sed -E 's/[0-9]{5,}/N/g'
