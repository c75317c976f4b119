// en - the words of the spectator's page in English.

export default {
  'share.title': 'You are looking on',
  'share.title.none': 'No picture here',
  'share.what': 'This picture was shared with you. You can watch it here until the link ends.',
  'share.connecting': 'Looking for the picture that this link shows …',
  'share.lost': 'The connection is gone. Trying again by itself.',
  'share.wrong':
    'This link shows nothing: it has ended, was taken back, or a part of it is missing. Ask who ' +
    'gave it to you for another one.',
  'share.over': 'This link has ended. Ask who gave it to you for another one.',
};
