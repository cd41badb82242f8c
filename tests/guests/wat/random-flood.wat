;; Asks for randomness, 32 KiB at a time, into the same place, for ever.
(import "wasi:random/random@0.2.0" (instance $random
  (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
(core module $same-code
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
(core instance $same (instantiate $same-code))
(core func $bytes (canon lower (func $random "get-random-bytes")
  (memory (core memory $heap "memory")) (realloc (core func $same "realloc"))))
(core module $code
  (import "host" "bytes" (func $bytes (param i64 i32)))
  (func (export "transform") (param i32) (result i32)
    (loop $on (call $bytes (i64.const 32768) (i32.const 64)) (br $on))
    (unreachable)))
(core instance $guest (instantiate $code (with "host" (instance (export "bytes" (func $bytes))))))
