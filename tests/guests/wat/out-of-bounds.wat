;; Reads behind the end of its memory.
(core module $code
  (memory 1)
  (func (export "transform") (param i32) (result i32)
    (i32.load (i32.const 0x7fffffff))))
(core instance $guest (instantiate $code))
