;; Takes 201 MiB of memory and discards with a code of 200 MiB, all of it its own.
(core module $code
  (import "heap" "memory" (memory 1))
  (data (i32.const 16) "\00\00\00\00\02\00\00\00\00\00\01\00\00\00\80\0c")
  (func (export "transform") (param i32) (result i32)
    (drop (memory.grow (i32.const 3216)))
    (i32.const 16)))
(core instance $guest (instantiate $code (with "heap" (instance $heap))))
