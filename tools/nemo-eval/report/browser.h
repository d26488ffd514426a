// The page's sample browser: what was asked, what the model said, one sample at a time.
#pragma once

#include <string>

namespace nemo {

/// Markup and script around BrowserData's list (samples.h).
std::string BrowserHtml(const std::string& data);

/// What BrowserHtml needs in the page's style sheet.
extern const char* const kBrowserStyle;

}  // namespace nemo
