// From a plan and what was written to the manifest that describes it.
#pragma once

#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/convert/manifest.h"
#include "libcore/convert/target.h"
#include "libcore/layout/plan.h"

namespace nemo::native {

/// The manifest of `plan` whose files have `extension`. `written` is parallel to plan.files; pass
/// {} for a manifest without sizes, places and checksums (what Verify compares the boxes with).
Result<Manifest> ManifestOf(const Plan& plan, std::string_view extension,
                            const std::vector<WrittenFile>& written);

}  // namespace nemo::native
