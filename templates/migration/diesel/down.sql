-- {name}: what undoes the change.

