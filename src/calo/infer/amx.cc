#include "calo/infer/detail/amx_kernels.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace calo::infer::amx {

#if defined(__x86_64__) && defined(__linux__)
bool available() {
  static const bool answer = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
    if ((d & (kBf16 | kTile | kInt8)) != (kBf16 | kTile | kInt8)) return false;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM (Linux 5.16)
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return answer;
}

void configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" : : "m"(config));
}

void release() {
  asm volatile("tilerelease");
}
#else
bool available() {
  return false;
}
void configure(const TileConfig&) {}
void release() {}
#endif

}  // namespace calo::infer::amx
