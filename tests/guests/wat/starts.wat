;; Says so in the log when an instance of it starts, and answers `unchanged`.
(import "whisperer:plugin/log@1.0.0" (instance $log
  (type $some-level (enum "debug" "info" "warn" "error"))
  (export "level" (type $level (eq $some-level)))
  (export "write" (func (param "level" $level) (param "message" string)))))
(core func $write (canon lower (func $log "write") (memory (core memory $heap "memory"))))
(core module $code
  (import "heap" "memory" (memory 1))
  (import "host" "write" (func $write (param i32 i32 i32)))
  (data (i32.const 1024) "started")
  (func $begin (call $write (i32.const 1) (i32.const 1024) (i32.const 7)))
  (start $begin)
  (func (export "transform") (param i32) (result i32) (i32.const 16)))
(core instance $guest (instantiate $code
  (with "heap" (instance $heap))
  (with "host" (instance (export "write" (func $write))))))
