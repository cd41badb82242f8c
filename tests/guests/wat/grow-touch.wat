;; Takes memory page by page, and writes to each, until there is no more.
(core module $code
  (memory 1)
  (func (export "transform") (param i32) (result i32)
    (loop $on
      (drop (memory.grow (i32.const 1)))
      (i32.store (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)) (i32.const 1))
      (i32.store offset=4096 (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)) (i32.const 1))
      (memory.fill
        (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536))
        (i32.const 1) (i32.const 65536))
      (br $on))
    (unreachable)))
(core instance $guest (instantiate $code))
