/* ICU's data library for images, with no data in it: Debian's has 30 MB, and of the program's libraries only libxml2 links it,
   which XRootD's client needs for metalink files, and which converts UTF-8, UTF-16, Latin-1 and ASCII by itself. ICU finds no
   table here and reports other encodings as unknown.
   Layout: DataHeader and UDataInfo of ICU's common/unicode/udata.h and ucmndata.h, and a table of contents without entries. */
#include <stdint.h>

struct IcuData {
  uint16_t header_bytes;
  uint8_t magic[2];
  uint16_t info_bytes, reserved;
  uint8_t is_big_endian, charset_family, bytes_of_uchar, reserved_byte;
  uint8_t format[4], format_version[4], data_version[4];
  uint8_t padding[8];
  uint32_t entries;
};

__attribute__((visibility("default"), aligned(16))) const struct IcuData ICU_SYMBOL = {
    .header_bytes = 32,
    .magic = {0xda, 0x27},
    .info_bytes = 20,
    .bytes_of_uchar = 2,
    .format = {'C', 'm', 'n', 'D'},
    .format_version = {1, 0, 0, 0},
    .entries = 0,
};
_Static_assert(sizeof(struct IcuData) == 36, "the table of contents follows the header");
