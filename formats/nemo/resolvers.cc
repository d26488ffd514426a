#include "formats/nemo/resolvers.h"

#include <cmath>
#include <string>

#include "libcore/base/format.h"

namespace nemo {
namespace {

Result<Value> Multiply(const Value& x, const Value& y) {
  if (!x.is_int() || !y.is_int()) return Value(x.as_double() * y.as_double());
  int64_t product = 0;
  if (__builtin_mul_overflow(x.as_int(), y.as_int(), &product)) {
    return Corruption("a product beyond 64 bits");
  }
  return Value(product);
}

Result<Value> Rounded(double quotient) {
  if (!(std::abs(quotient) < 9e15)) return Corruption("a quotient that is no number of anything");
  return Value(static_cast<int64_t>(quotient));
}

Result<Value> DivideCeil(const Value& x, const Value& y) {
  return Rounded(std::ceil(x.as_double() / y.as_double()));
}

Result<Value> DivideFloor(const Value& x, const Value& y) {
  return Rounded(std::floor(x.as_double() / y.as_double()));
}

struct Row {
  std::string_view name;
  Result<Value> (*call)(const Value& x, const Value& y);
};
constexpr Row kRows[] = {
    {"multiply", Multiply},
    {"divide_ceil", DivideCeil},
    {"divide_floor", DivideFloor},
};

}  // namespace

Result<Value> CallArithmetic(std::string_view name, std::span<const Value* const> arguments) {
  std::string known;
  for (const Row& row : kRows) {
    known += Format("{}, ", row.name);
    if (row.name != name) continue;
    if (arguments.size() != 2 || !arguments[0]->is_number() || !arguments[1]->is_number()) {
      return Corruption(Format("resolver '{}' takes two numbers", name));
    }
    return row.call(*arguments[0], *arguments[1]);
  }
  return Unsupported(
      Format("resolver '{}' is not known here ({}oc.select are); write the value in its "
             "place",
             name, known));
}

}  // namespace nemo
