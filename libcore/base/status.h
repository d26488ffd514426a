// Status and Result<T>: how everything that can fail because of the world (files, input, devices,
// peers, flags) reports it. What can fail only because we erred is NEMO_CHECK (check.h) instead.
// Result has std::expected's member names; C++20 is the common ground of the host compiler and
// nvcc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libcore/base/check.h"

namespace nemo {

enum class StatusCode {
  kOk = 0,
  kInvalidArgument,  ///< the caller's request: a flag, a layout, a box outside a shape
  kNotFound,         ///< a named thing is absent: file, tensor, member
  kCorruption,       ///< bytes contradict their format or their checksum
  kUnsupported,      ///< understood, and not handled by this build
  kIo,               ///< the operating system refused: disk, memory, permissions
  kUnavailable,      ///< a device or a peer does not answer
};

/// "invalid argument", "corruption", ...: for messages and JSON.
std::string_view StatusCodeName(StatusCode code);

/// Success, or a code with a message that says what, where and what would mend it.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    NEMO_CHECK(code != StatusCode::kOk);
  }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same error with the place in front: `place: message`. OK stays OK.
  Status At(std::string_view place) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return {}; }
Status InvalidArgument(std::string message);
Status NotFound(std::string message);
Status Corruption(std::string message);
Status Unsupported(std::string message);
Status IoError(std::string message);
Status Unavailable(std::string message);
/// kIo (kNotFound for ENOENT) with `what` and the text of `errno_value`.
Status ErrnoError(int errno_value, std::string_view what);

/// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    NEMO_CHECK(!status_.ok());
  }

  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    NEMO_CHECK(has_value());
    return *value_;
  }
  const T& value() const& {
    NEMO_CHECK(has_value());
    return *value_;
  }
  /// By value, so that `for (auto& x : *MakeList())` does not dangle.
  T value() && {
    NEMO_CHECK(has_value());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  /// OK when there is a value.
  const Status& error() const { return status_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace nemo

#define NEMO_STATUS_CONCAT_INNER(a, b) a##b
#define NEMO_STATUS_CONCAT(a, b) NEMO_STATUS_CONCAT_INNER(a, b)

/// Returns from the function when `expression` (a Status) is an error.
#define NEMO_RETURN_IF_ERROR(expression)                                \
  do {                                                                  \
    if (::nemo::Status nemo_status = (expression); !nemo_status.ok()) { \
      return nemo_status;                                               \
    }                                                                   \
  } while (false)

/// `NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(path));` : the value, or return with its Status.
#define NEMO_ASSIGN_OR_RETURN(declaration, expression) \
  NEMO_ASSIGN_OR_RETURN_IMPL(NEMO_STATUS_CONCAT(nemo_result_, __LINE__), declaration, expression)
#define NEMO_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result) return result.error();                               \
  declaration = std::move(result).value()
