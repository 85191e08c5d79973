-- {name}: the change.

