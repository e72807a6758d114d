// The photo types that the service accepts, and how to recognise one from its first bytes.
// docs/contracts/photo-types.json is the list that page, server, command line and GPU worker are tested against.

/** Media types that may be declared, with the extension that the server gives the stored photo. HEIF is another name of HEIC. */
export const PHOTO_TYPES = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "image/heic": "heic",
  "image/heif": "heif",
  "image/avif": "avif",
} as const;
export type PhotoType = keyof typeof PHOTO_TYPES;
export const MEDIA_TYPES = Object.keys(PHOTO_TYPES) as [PhotoType, ...PhotoType[]];

/** Clips, whose frames become photos: media types that may be declared, with the extension of the stored clip. */
export const VIDEO_TYPES = { "video/mp4": "mp4", "video/quicktime": "mov" } as const;
export type VideoType = keyof typeof VIDEO_TYPES;
export const VIDEO_MEDIA_TYPES = Object.keys(VIDEO_TYPES) as [VideoType, ...VideoType[]];
export type SourceType = PhotoType | VideoType;
export const SOURCE_EXTENSIONS: Readonly<Record<SourceType, string>> = { ...PHOTO_TYPES, ...VIDEO_TYPES };
export const SOURCE_MEDIA_TYPES = Object.keys(SOURCE_EXTENSIONS) as [SourceType, ...SourceType[]];
export const VIDEO_BYTES_MAX = 4 * 2 ** 30;
export const VIDEO_SECONDS_MAX = 600;
/** A clip is uploaded in parts of this size, of which the last may be smaller. S3 asks for 5 MiB to 5 GiB, and at most 10,000 parts. */
export const PART_BYTES = 8 * 2 ** 20;
const FRAMES_PER_S = 2;
const FRAMES_MIN = 20;
const FRAMES_MAX = 200;

export const isVideo = (type: SourceType): type is VideoType => Object.hasOwn(VIDEO_TYPES, type);

/** How many frames a clip of this length gives at most. The worker has the same rule. */
export const framesWanted = (seconds: number): number => Math.min(Math.max(Math.round(FRAMES_PER_S * seconds), FRAMES_MIN), FRAMES_MAX);

/** What names of photos end in. */
export const EXTENSIONS = ["jpg", "jpeg", "png", "webp", "heic", "heif", "avif"] as const;

export const VIDEO_EXTENSIONS = ["mp4", "mov", "m4v"] as const;

/** How many first bytes photoType needs. */
export const HEAD_BYTES = 12;

/** Major brands of HEIC files (ISO/IEC 23008-12); other files of the same container are videos. */
const HEIC_BRANDS: ReadonlySet<string> = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]);

/** Major brands of MP4 and MOV files (ISO/IEC 14496-12). */
// prettier-ignore
const VIDEO_BRANDS: ReadonlySet<string> = new Set([
  "isom", "iso2", "iso3", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "qt  ", "M4V ", "MSNV", "XAVC", "3gp4", "3gp5", "3gp6",
]);

/** The media type of a clip by its first bytes, or null for anything else. */
export function videoType(head: Uint8Array): VideoType | null {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  if (text.slice(4, 8) !== "ftyp" || !VIDEO_BRANDS.has(text.slice(8, 12))) return null;
  return text.slice(8, 12) === "qt  " ? "video/quicktime" : "video/mp4";
}

/** The media type that the first bytes show, or null for anything that is not a photo of these types. */
export function photoType(head: Uint8Array): PhotoType | null {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  if (text.slice(4, 8) === "ftyp" && HEIC_BRANDS.has(text.slice(8, 12))) return "image/heic";
  if (text.slice(4, 12) === "ftypavif" || text.slice(4, 12) === "ftypavis") return "image/avif";
  return null;
}
