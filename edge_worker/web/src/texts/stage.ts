// Texts of the stage that shows a scene.
export const STAGE = {
  label: (name: string): string => `${name}. Drag to turn, scroll or pinch to zoom, use the arrow keys to move, press R for the start view, T to fill the window.`,
  percent: (percent: number): string => `${percent} %`,
  loading: "Loading the scene…",
  lost: "The device paused the 3D graphics.",
  byMouse: "Drag to turn, scroll to zoom",
  byTouch: "Drag to turn, pinch to zoom",
  startView: "Start view",
  stop: "Stop",
  rotate: "Rotate",
  theatre: "Theatre",
  leaveTheatre: "Leave theatre",
  theatreTitle: "Fill the window (T)",
  leaveFull: "Exit",
  full: "Full screen",
  again: "Show again",
} as const;
