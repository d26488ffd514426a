#include "libcore/serve/api_keys.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

TEST(ApiKeys, AreTakenFromBearerAndFromABrowsersPassword) {
  const testing::TempDir dir;
  testing::WriteFileOrDie(dir / "keys", "# for tests\nsesame\n\nopen\n");
  const auto keys = ApiKeys::Read(dir / "keys");
  ASSERT_TRUE(keys) << keys.error().message();
  // printf %s TEXT | base64
  for (const char* header : {"Bearer sesame", "bearer  open ",
                             "Basic eDpzZXNhbWU=", "basic OnNlc2FtZQ==", "Basic dXNlcjpvcGVu"}) {
    EXPECT_TRUE(keys->Allows(header)) << header;
  }
  for (const char* header :
       {"", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesame1", "sesame", "Basic", "Basic ",
        "Basic sesame", "Basic c2VzYW1l",
        "Basic eDpzZXNhbQ==", "Basic eDo=", "Basic ====", "Digest sesame", "Bearer # for tests"}) {
    EXPECT_FALSE(keys->Allows(header)) << header;
  }
  EXPECT_TRUE(ApiKeys().Allows(""));
}

TEST(ApiKeys, AFileWithoutAnyIsRefused) {
  const testing::TempDir dir;
  testing::WriteFileOrDie(dir / "keys", "# nothing\n\n");
  EXPECT_EQ(ApiKeys::Read(dir / "keys").error().code(), StatusCode::kInvalidArgument);
  testing::WriteFileOrDie(dir / "keys", "two words\n");
  EXPECT_EQ(ApiKeys::Read(dir / "keys").error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ApiKeys::Read(dir / "absent").error().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace nemo
