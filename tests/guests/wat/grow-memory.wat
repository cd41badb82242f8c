;; Asks for all of 4 GiB at once.
(core module $code
  (memory 1)
  (func (export "transform") (param i32) (result i32)
    (drop (memory.grow (i32.const 65535)))
    (i32.const 16)))
(core instance $guest (instantiate $code))
