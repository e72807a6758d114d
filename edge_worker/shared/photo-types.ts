// The photo types that the service accepts, and how to recognise one from its first bytes.
// docs/contracts/photo-types.json is the list that page, server, command line and GPU worker are tested against.

/** Media types that may be declared, with the extension that the server gives the stored photo. HEIF is another name of HEIC. */
export const PHOTO_TYPES = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "image/heic": "heic",
  "image/heif": "heif",
} as const;
export type PhotoType = keyof typeof PHOTO_TYPES;
export const MEDIA_TYPES = Object.keys(PHOTO_TYPES) as [PhotoType, ...PhotoType[]];

/** What names of such files end in. */
export const EXTENSIONS = ["jpg", "jpeg", "png", "webp", "heic", "heif"] as const;

/** How many first bytes photoType needs. */
export const HEAD_BYTES = 12;

/** Major brands of HEIC files (ISO/IEC 23008-12); other files of the same container are videos or AVIF. */
const HEIC_BRANDS: ReadonlySet<string> = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]);

/** The media type that the first bytes show, or null for anything that is not a photo of these types. */
export function photoType(head: Uint8Array): PhotoType | null {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  if (text.slice(4, 8) === "ftyp" && HEIC_BRANDS.has(text.slice(8, 12))) return "image/heic";
  return null;
}
