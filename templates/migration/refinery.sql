-- {name}: the change. It runs in one transaction.

