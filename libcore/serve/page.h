// The web page at GET /, one file without anything from elsewhere. Its parts are in page/;
// cmake/embed_page.cmake puts them together.
#pragma once

#include <string_view>

namespace nemo {

extern const std::string_view kPage;

}  // namespace nemo
