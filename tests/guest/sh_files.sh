# File tools: find, ln, cp, mv, rm, tar, gzip, chmod, stat, ls, du, dd, sort, xargs.
set -u
mkdir -p t/a/b/c; for i in $(seq 1 50); do echo "file $i" > t/a/f$i; done
find t -type f | wc -l; find t -type d | sort
ln -s a t/link; ln t/a/f1 t/hard; stat -c '%h %F' t/hard t/link
cp -a t u; diff -r t u && echo same; ls u | sort
mv u/a/f1 u/a/b/; ls u/a/b; rm -rf u/a/b; find u -name 'f1*' | sort
tar cf t.tar t; tar tf t.tar | wc -l; mkdir x; tar xf t.tar -C x; diff -r t x/t && echo tar ok
gzip -c t.tar > t.gz; gunzip -c t.gz | cmp - t.tar && echo gzip ok
tar czf - t | tar tzf - | sort | head -n 3
chmod 640 t/a/f2; stat -c '%a %s' t/a/f2; chmod -R u+x t/a; stat -c %a t/a/f2
dd if=/dev/zero of=big bs=4096 count=100 2>/dev/null; stat -c %s big; dd if=big of=/dev/null bs=1000 2>&1 | head -n 1
truncate -s 1000000 sparse; stat -c %s sparse; du -k --apparent-size sparse | cut -f1
sort -n -k2 t/a/f* | head -n 3; ls t/a/f* | xargs -n 10 echo | wc -l
touch -d '2001-02-03 04:05:06 UTC' old; date -u -r old +%F_%T; find . -maxdepth 1 -newer old -name big
test -L t/link -a -d t/link && echo link to dir; readlink t/link; realpath t/link/.. | xargs basename
mkdir perm; chmod 000 perm; ls perm >/dev/null && echo root may; rmdir perm
cat t/a/f1{0,1,2}; wc -c t/a/f10; head -c 5 t/a/f10; echo; tail -c 3 t/a/f10
grep -rl 'file 2$' t | sort; sed -i 's/file/FILE/' t/a/f3; cat t/a/f3; cut -d' ' -f2 t/a/f3; md5sum < t/a/f3
rm -r t x u; ls | sort | head -n 20
mktemp -d | wc -l; install -m 600 big copy; stat -c %a copy; sync; df . >/dev/null && echo df
od -An -tx1 -N 8 /dev/zero; comm -12 <(seq 1 5) <(seq 4 9); nl <<< text; basename /a/b/c.txt .txt; dirname /a/b
