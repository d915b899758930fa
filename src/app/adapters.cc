#include "app/adapters.h"

#include "app/distributed_adapters.h"
#include "app/embedded_adapters.h"

namespace firstcome {

std::unique_ptr<Adapters> Adapters::of(const Settings& settings, Clock& clock, Random& random) {
  if (settings.is_distributed()) return std::make_unique<DistributedAdapters>(settings, clock, random);
  return std::make_unique<EmbeddedAdapters>(settings, clock, random);
}

}  // namespace firstcome
