#include "formats/nemo/pickle_globals.h"

#include <gtest/gtest.h>

namespace nemo {
namespace {

using Names = std::vector<std::string>;

std::string Bytes(std::string_view text) { return std::string(text); }

TEST(PickleGlobals, AreFoundInEveryProtocol) {
  using namespace std::string_view_literals;  // NOLINT: pickles have NUL bytes
  const struct {
    const char* what;
    std::string pickle;
    Names names;
  } cases[] = {
      // Python: pickle.dumps(os.system, protocol) and pickle.dumps([os.system, posixpath.join ...],
      // protocol).
      {"protocol 0", Bytes("cposix\nsystem\np0\n."sv), {"posix system"}},
      {"protocol 2",
       Bytes("\x80\x02"
             "cposix\nsystem\nq\x00."sv),
       {"posix system"}},
      {"protocol 4",
       Bytes(
           "\x80\x04\x95\x14\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."sv),
       {"posix system"}},
      {"names from the memo",
       Bytes("\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94h\x00h\x01\x93\x94."sv),
       {"posix system", "posix system"}},
      {"instance", Bytes("(ios\nsystem\n."sv), {"os system"}},
      {"none", Bytes("\x80\x02}q\x00X\x02\x00\x00\x00osq\x01K\x01s."sv), {}},
      {"behind the stop", Bytes("N.cposix\nsystem\n."sv), {}},
      {"in a text",
       Bytes("\x80\x02X\x0e\x00\x00\x00"
             "cposix\nsystem\n."sv),
       {}},
  };
  for (const auto& c : cases) EXPECT_EQ(PickleGlobals(c.pickle), c.names) << c.what;
}

TEST(PickleGlobals, DamageEndsTheSearch) {
  const std::string whole =
      "\x80\x02"
      "cposix\nsystem\nq\x01(X\x02\x00\x00\x00";
  for (size_t size = 0; size <= whole.size(); ++size) {
    EXPECT_LE(PickleGlobals(whole.substr(0, size)).size(), 1u);
  }
  EXPECT_EQ(PickleGlobals("\xff"), Names{});
  EXPECT_EQ(PickleGlobals(std::string("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9)), Names{});
}

}  // namespace
}  // namespace nemo
