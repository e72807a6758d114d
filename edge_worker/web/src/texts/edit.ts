// Texts of the edit of a scene.
export const EDIT = {
  title: "Edit",
  useView: "Use this view",
  useViewLead: "Turn the scene as you like it. The view becomes the start view, and its picture the cover.",
  viewSaved: "This is the start view and the cover now.",
  upUnknown: "The photos do not show for sure which way is up. If the scene leans, set it.",
  setUp: "Set up",
  tiltForward: "Tilt forward or back",
  tiltSideways: "Tilt sideways",
  degrees: (deg: number): string => `${deg}°`,
  saveUp: "Save",
  cancel: "Cancel",
  undo: "Undo the last edit",
  undone: "The last edit is undone.",
  noPicture: "The picture could not be taken. Wait until the scene is shown, then try again.",
} as const;
