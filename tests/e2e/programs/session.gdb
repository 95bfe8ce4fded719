break twice
run
bt
finish
delete
print twice(21)
next
watch s
continue
delete
info registers rip
continue
