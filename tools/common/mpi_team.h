// The processes of an MPI launch as a Team of conversion.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/convert/team.h"

namespace nemo {

/// The team of this launch; Alone when no launcher started this process. Collective. Errors as
/// MakeMpiWorld. A rank whose part fails takes the others down with it: they are in the middle of
/// hours of work, and what they have done is in their journals.
Result<std::unique_ptr<Team>> MakeTeam();

}  // namespace nemo
