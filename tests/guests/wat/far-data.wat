;; Data at the end of 1 GiB of memory.
(core module $code
  (memory 16384)
  (data (i32.const 1073741823) "x")
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code))
