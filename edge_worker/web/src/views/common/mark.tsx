// The logo: a survey target, as photogrammetrists place on the ground to locate their cameras.
// Drawn in currentColor, so it follows the theme.

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="14" fill="none" stroke="currentColor" stroke-width="2.5" />
      <path d="M16 16V5.5A10.5 10.5 0 0 1 26.5 16Z" fill="currentColor" />
      <path d="M16 16V26.5A10.5 10.5 0 0 1 5.5 16Z" fill="currentColor" />
    </svg>
  );
}
