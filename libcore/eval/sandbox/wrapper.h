// The Python text around a program under test, and the words in which it talks to the parent.
//
// One file holds the nonce and the program (descriptor 0); verdicts leave by a packet pipe
// (kVerdictFd): first `ready`, then at the end the nonce and the verdict in one packet. Packets
// that do not begin with the nonce are the program's own writing and count for nothing.
//
// What is defended. A verdict needs the 32 random bytes of this run, and they leave the process
// only behind the return value of run(), which is "passed" only if exec() of the whole text,
// tests included, came to its end. So exit codes, os._exit, signals, output, closed descriptors,
// guesses, and reading this text prove nothing. The nonce is in no file, argument or environment
// variable, and while the program runs in no Python frame, local or global: it is bound inside C
// objects (map, partial, a bound bytes.__add__) on the C stack, so frames, tracebacks, inspect and
// __main__ do not lead there. An audit hook, which Python code cannot take off again, refuses what
// would: gc's listings, ctypes, trace functions, other threads' frames.
//
// What is not, and cannot be in one interpreter: code that is out to cheat its own tests. It may
// return an object that equals everything, or damage the interpreter's memory with crafted
// bytecode. The reference has the same limit. Such a program gains a wrong score; the
// cage around the process holds it all the same.
#pragma once

#include <cstddef>
#include <string_view>

namespace nemo {

inline constexpr int kVerdictFd = 3;
inline constexpr size_t kNonceBytes = 32;
/// PIPE_BUF: a packet is never torn.
inline constexpr size_t kPacketBytes = 4096;
inline constexpr std::string_view kReadyPacket = "ready";

/// For `python3 -I -c`.
extern const char kWrapper[];

}  // namespace nemo
